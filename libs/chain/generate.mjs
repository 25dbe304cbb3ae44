// Compiles contracts/ and generates libs/chain/src/gen from the ABIs: one typed class and one factory with the bytecode
// for each contract that is deployed.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTypeChain } from 'typechain';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const contracts = join(root, 'contracts');
const out = join(here, 'src/gen');

const deployed = [
  'AstroGovernor',
  'AstroToken',
  'ERC1967Proxy',
  'Escrow',
  'Grants',
  'ProtocolParameters',
  'Rewards',
  'Slashing',
  'Staking',
  'TimelockController',
  'Treasury',
  'Vesting',
];

// Forge finds libraries only inside of its project.
if (!existsSync(join(contracts, 'node_modules'))) {
  symlinkSync(join(root, 'node_modules'), join(contracts, 'node_modules'));
}
const machine = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
const forge = join(root, `node_modules/@foundry-rs/forge-${machine}/bin/forge`);
execFileSync(forge, ['build', '--skip', 'test'], { cwd: contracts, stdio: 'inherit' });

rmSync(out, { recursive: true, force: true });
const artifacts = deployed.map(name => join(contracts, `out/${name}.sol/${name}.json`));
await runTypeChain({
  cwd: root,
  target: 'ethers-v6',
  outDir: out,
  inputDir: join(contracts, 'out'),
  filesToProcess: artifacts,
  allFiles: artifacts,
  flags: {
    alwaysGenerateOverloads: false,
    discriminateTypes: false,
    environment: undefined,
    node16Modules: true,
  },
});
// Barrels that nobody imports.
for (const folder of [out, join(out, 'factories')]) rmSync(join(folder, 'index.ts'));
