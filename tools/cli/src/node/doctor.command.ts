import type { Finding } from '@astro/node-agent/cli/doctor/check';
import { tableOf } from '../table.js';
import { NodeCommand, placeFlags } from './node-command.js';

export default class NodeDoctor extends NodeCommand {
  static override summary = 'Try everything that a node rests on, and say what to do where it does not work';
  static override flags = placeFlags;

  async run(): Promise<{ readonly isSound: boolean; readonly findings: readonly Finding[] }> {
    const { flags } = await this.parse(NodeDoctor);
    const { configFile } = await this.places(flags);
    const [{ examine }, { isSound }] = await Promise.all([
      import('@astro/node-agent/cli/doctor/doctor'),
      import('@astro/node-agent/cli/doctor/check'),
    ]);
    const findings = await examine(configFile, process.env);
    this.log(tableOf(['check', 'needed', 'state', 'found'], findings.map(rowOf)));
    for (const { id, advice } of findings) if (advice !== undefined) this.log(`\n${id}: ${advice}`);
    const sound = isSound(findings);
    this.failsUnless(sound);
    return { isSound: sound, findings };
  }
}

const rowOf = ({ id, isNeeded, state, found }: Finding): readonly string[] => [
  id,
  isNeeded ? 'yes' : 'no',
  state,
  found,
];
