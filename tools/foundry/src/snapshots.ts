// Writes what a change must not alter unseen: the gas of every function that the unit tests call, and where each
// contract behind a proxy keeps its state. The spec compares with what is committed.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contractsFolder } from './forge.js';
import { gasReport, storageLayouts } from './measure.js';

const write = (name: string, content: unknown) =>
  writeFile(join(contractsFolder, 'snapshots', name), `${JSON.stringify(content, null, 2)}\n`);

await write('gas.json', await gasReport());
await write('storage.json', await storageLayouts());
