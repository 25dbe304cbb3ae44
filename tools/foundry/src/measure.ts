import { forge, printed } from './forge.js';

/** Contracts behind a proxy: an upgrade must find the state where it was. */
const upgradeable = ['Escrow', 'Rewards', 'Staking'];

type GasOfContract = {
  readonly contract: string;
  readonly deployment: { readonly gas: number };
  readonly functions: Readonly<Record<string, { readonly median: number }>>;
};
type Variable = {
  readonly label: string;
  readonly slot: string;
  readonly offset: number;
  readonly type: string;
};
type Gas = { readonly deployment: number; readonly functions: Readonly<Record<string, number>> };

/**
 * The gas of each of our contracts in the unit tests: of its deployment, and the median of each function. Fuzzed calls
 * are left out, since their inputs are not ours.
 */
export async function gasReport(): Promise<Readonly<Record<string, Gas>>> {
  const flags = ['--gas-report', '--json', '--no-match-test', 'testFuzz|invariant'];
  const { code, stdout, stderr } = await forge(['test', ...flags]);
  if (code !== 0) throw new Error(`forge could not measure gas: ${stderr || stdout.slice(-2_000)}`);
  const ours = (printed(stdout) as GasOfContract[]).filter(({ contract }) => contract.startsWith('src/'));
  return Object.fromEntries(
    ours.map(({ contract, deployment, functions }) => [
      contract.slice(contract.indexOf(':') + 1),
      {
        deployment: deployment.gas,
        functions: Object.fromEntries(
          Object.entries(functions).map(([signature, { median }]) => [signature, median]),
        ),
      },
    ]),
  );
}

/** Where each contract behind a proxy keeps its variables, in the order of their slots. */
export async function storageLayouts(): Promise<Readonly<Record<string, readonly Variable[]>>> {
  const layouts: Record<string, readonly Variable[]> = {};
  for (const name of upgradeable) {
    const { code, stdout, stderr } = await forge(['inspect', name, 'storageLayout', '--json']);
    if (code !== 0) throw new Error(`forge could not lay out ${name}: ${stderr}`);
    const { storage } = printed(stdout) as { readonly storage: readonly Variable[] };
    layouts[name] = storage.map(({ label, slot, offset, type }) => ({
      label,
      slot,
      offset,
      // The compiler numbers its types anew with every change elsewhere.
      type: type.replaceAll(/\)\d+/g, ')'),
    }));
  }
  return layouts;
}
