import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

/** Compiles the programs to `build/<name>.wasm`; they import nothing but WASI preview 1. */
const folder = fileURLToPath(new URL('.', import.meta.url));
await mkdir(`${folder}build`, { recursive: true });
for (const name of ['train', 'infer']) {
  const options = ['--baseDir', folder, '--outFile', `build/${name}.wasm`, '--exportStart', '_start'];
  const code = ['-O3', '--runtime', 'minimal', '--enable', 'simd', '--use', 'abort=assembly/wasi/abort'];
  const { error, stderr } = await asc.main([`assembly/${name}.ts`, ...options, ...code]);
  if (error) {
    process.stderr.write(stderr.toString());
    throw new Error(`${name} does not compile`, { cause: error });
  }
}
