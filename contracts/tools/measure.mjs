import { forge } from './forge.mjs';

/** Contracts behind a proxy: an upgrade must find the state where it was. */
const upgradeable = ['Escrow', 'Rewards', 'Staking'];

/**
 * The gas of deployments and calls in the unit tests. Fuzzed calls are left out: their inputs vary with the compiler.
 *
 * @returns {Promise<Record<string, { deployment: number, functions: Record<string, number> }>>} Median gas.
 */
export async function gasReport() {
  const { code, stdout, stderr } = await forge([
    'test',
    '--gas-report',
    '--json',
    '--no-match-test',
    'testFuzz|invariant',
  ]);
  if (code !== 0) throw new Error(`forge could not measure gas: ${stderr || stdout.slice(-2_000)}`);
  const ours = JSON.parse(stdout).filter(({ contract }) => contract.startsWith('src/'));
  return Object.fromEntries(
    ours.map(({ contract, deployment, functions }) => [
      contract.split(':')[1],
      {
        deployment: deployment.gas,
        functions: Object.fromEntries(
          Object.entries(functions).map(([signature, { median }]) => [signature, median]),
        ),
      },
    ]),
  );
}

/**
 * Where each contract behind a proxy keeps its variables.
 *
 * @returns {Promise<Record<string, { label: string, slot: string, offset: number, type: string }[]>>}
 */
export async function storageLayouts() {
  const layouts = {};
  for (const name of upgradeable) {
    const { code, stdout, stderr } = await forge(['inspect', name, 'storageLayout', '--json']);
    if (code !== 0) throw new Error(`forge could not lay out ${name}: ${stderr}`);
    layouts[name] = JSON.parse(stdout).storage.map(({ label, slot, offset, type }) => ({
      label,
      slot,
      offset,
      // The compiler numbers its types anew with every change elsewhere.
      type: type.replaceAll(/\)\d+/g, ')'),
    }));
  }
  return layouts;
}
