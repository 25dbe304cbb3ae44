#!/usr/bin/env node
// Forge wants a native compiler; this lets the one from npm, which is JavaScript, stand in for it.
import { readFileSync } from 'node:fs';
import solc from 'solc';

/** Forge hands over our own sources; what they import of the installed libraries is read as it is asked for. */
const installed = path =>
  path.startsWith('node_modules/@openzeppelin/')
    ? { contents: readFileSync(path, 'utf8') }
    : { error: `${path} is neither a source of ours nor an installed library` };

if (process.argv.includes('--version')) {
  const version = solc.version().replace('.Emscripten.clang', '.Linux.g++');
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8'), { import: installed }));
}
