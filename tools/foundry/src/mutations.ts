// Breaks the contracts on purpose, one invariant at a time, and sees that the invariant run notices. A check that
// cannot fail proves nothing. `npm run mutations -w @astro/foundry`
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contractsFolder, forge } from './forge.js';

type Mutation = {
  readonly invariant: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
};

const mutations: readonly Mutation[] = [
  {
    invariant: 'the escrow covers all claims',
    file: 'src/Payouts.sol',
    from: 'if (payout.amount > left) revert ListExhausted(payout.list, payout.amount, left);',
    to: 'left;',
  },
  {
    invariant: 'the sum of stakes equals the balance',
    file: 'src/Staking.sol',
    from: 'provider.factor = factor;\n        _totalStaked -= amount;',
    to: 'provider.factor = factor;',
  },
  {
    invariant: 'nothing is slashed after release',
    file: 'src/Staking.sol',
    from: 'amount = _worth(shares, from.factor);',
    to: 'amount = _worth(shares, provider.factor);',
  },
  {
    invariant: 'bonds are covered',
    file: 'src/Slashing.sol',
    from: '_payBond(current.accused, current.bond);\n        _payBond(current.accuser, current.bond);',
    to: '_payBond(current.accused, current.bond);\n        token.safeTransfer(current.accuser, current.bond);',
  },
  {
    invariant: 'the supply stays below the cap',
    file: 'src/AstroToken.sol',
    from: 'super._update(from, to, value);',
    to: 'super._update(to == address(0) ? to : from, to == address(0) ? from : to, value);',
  },
  {
    invariant: 'rewards stay within the schedule',
    file: 'src/Rewards.sol',
    from: 'if (total > available) revert AboveSchedule(total, available);',
    to: 'available;',
  },
  {
    invariant: 'fees stay within bounds',
    file: 'src/ProtocolParameters.sol',
    from: 'return (100, 500);',
    to: 'return (0, WHOLE_BPS);',
  },
  {
    invariant: 'fees are never retroactive',
    file: 'src/Escrow.sol',
    from: 'burned = (fee * _parameters.getAt(Parameter.FeeBurnShareBps, chargedAt))',
    to: 'burned = (fee * _parameters.get(Parameter.FeeBurnShareBps))',
  },
  {
    invariant: "a change of the validators' share is never retroactive",
    file: 'src/Escrow.sol',
    from: '_parameters.getAt(Parameter.FeeValidatorShareBps, chargedAt)',
    to: '_parameters.get(Parameter.FeeValidatorShareBps)',
  },
  {
    invariant: 'nobody has more than the whole of the fee',
    file: 'src/ProtocolParameters.sol',
    from: 'if (burnShareBps + validatorShareBps > WHOLE_BPS)',
    to: 'if (burnShareBps > WHOLE_BPS)',
  },
  {
    invariant: 'epochs pay no more than what was paid in on top of the schedule',
    file: 'src/Rewards.sol',
    from: '_funded += amount;',
    to: '_funded += 2 * amount;',
  },
  {
    invariant: 'only the timelock administers',
    file: 'src/Staking.sol',
    from: '    function _authorizeUpgrade(',
    to:
      '    function grantRole(bytes32 role, address account) public override { _grantRole(role, account); }\n\n' +
      '    function _authorizeUpgrade(',
  },
];

const chosen = mutations.filter(({ invariant }) => invariant.includes(process.argv[2] ?? ''));
let survived = 0;
for (const mutation of chosen) {
  const folder = await mkdtemp(join(tmpdir(), 'astro-mutation-'));
  try {
    const report = await tryOut(mutation, join(folder, 'contracts'));
    if (!report) survived += 1;
    console.log(`${report ? 'caught  ' : 'SURVIVED'}  ${mutation.invariant}${report && `: ${report}`}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
console.log(`${chosen.length - survived} of ${chosen.length} mutations caught`);
process.exitCode = survived === 0 ? 0 : 1;

/** What the invariant run said of the mutant; nothing when it saw no difference. */
async function tryOut({ file, from, to }: Mutation, folder: string): Promise<string> {
  for (const part of ['src', 'test', 'tools', 'foundry.toml'])
    await cp(join(contractsFolder, part), join(folder, part), { recursive: true });
  const source = await readFile(join(folder, file), 'utf8');
  if (!source.includes(from)) throw new Error(`${file} has nothing like: ${from}`);
  await writeFile(join(folder, file), source.replace(from, to));
  const built = await forge(['build'], folder);
  if (built.code !== 0) throw new Error(`the mutant of ${file} does not compile: ${built.stderr}`);
  const { code, stdout } = await forge(['test', '--match-path', 'test/invariant/*'], folder);
  return code === 0 ? '' : (/\[FAIL: ([^\]]+)\]/.exec(stdout)?.[1] ?? 'failed');
}
