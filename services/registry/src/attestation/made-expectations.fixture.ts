import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pemOf } from '../../../../libs/attestation/src/made-certificates.fixture.js';
import type { MadeWorld } from '../../../../libs/attestation/src/made-question.fixture.js';

/** Keeps what the platform expects, with the roots of the made world in the place of the makers'. */
export async function writeExpectations(folder: string, world: MadeWorld): Promise<void> {
  const { amd, intel, question } = world;
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'rules.json': JSON.stringify(question.rules),
    'amd/Milan.pem': pemOf(amd.ark),
    'amd/Milan.crl': amd.crl,
    'intel/root.pem': pemOf(intel.root),
    'intel/b0c06f000000.json': JSON.stringify(question.roots.intel!.collateral[0]),
    'nvidia/jwks.json': JSON.stringify(question.roots.nvidia),
  };
  for (const part of ['amd', 'intel', 'nvidia']) await mkdir(join(folder, part), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}
