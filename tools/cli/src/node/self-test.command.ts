import type { Verdict } from '@astro/node-agent/cli/self-test';
import { boolean } from '@oclif/core/flags';
import { tableOf } from '../table.js';
import { NodeCommand, placeFlags } from './node-command.js';

type Answer = {
  readonly isFit: boolean;
  readonly milliUnits: number;
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
};

export default class NodeSelfTest extends NodeCommand {
  static override summary = 'Measure this machine, and hold it against what a node has to be';
  static override flags = {
    ...placeFlags,
    explain: boolean({ description: 'say of each criterion why it is one' }),
  };

  async run(): Promise<Answer> {
    const { flags } = await this.parse(NodeSelfTest);
    const { configFile } = await this.places(flags);
    const [{ gatherEvidence, isFit, verdictsOn }, { setUpFrom }, { settingsOf }] = await Promise.all([
      import('@astro/node-agent/cli/self-test'),
      import('@astro/node-agent/cli/node-setup'),
      import('@astro/node-agent/cli/operator'),
    ]);
    const evidence = await gatherEvidence(await setUpFrom(await settingsOf(configFile, process.env)));
    const verdicts = verdictsOn(evidence);
    const { milliUnits, notes } = evidence.benchmark;
    this.log(tableOf(['criterion', 'needed', 'met', 'found'], verdicts.map(rowOf)));
    if (flags.explain)
      for (const { id, asks, because } of verdicts) this.log(`\n${id}: ${asks}, because ${because}.`);
    this.log(`\n${milliUnits / 1_000} compute units`);
    for (const note of notes) this.log(note);
    const fit = isFit(verdicts);
    this.failsUnless(fit);
    return { isFit: fit, milliUnits, verdicts, notes };
  }
}

const rowOf = ({ id, isNeeded, isMet, found }: Verdict): readonly string[] => [
  id,
  isNeeded ? 'yes' : 'no',
  isMet ? 'yes' : 'NO',
  found,
];
