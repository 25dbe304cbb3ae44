import { writeFile } from 'node:fs/promises';
import { string as text } from '@oclif/core/args';
import { CLIError } from '@oclif/core/errors';
import type { AccusationEvent } from '@astro/messages/verification';
import { AstroCommand } from '../astro-command.js';
import { exitCode } from '../exit-codes.js';

type Answer = { readonly file: string; readonly hash: string };

export default class VerifyBundle extends AstroCommand {
  static override summary = 'Write the evidence of a fault on record, from the event streams of a platform';
  static override description =
    'For whoever runs the platform: it is reached as its state folder says, ASTRO_HOME or .astro.';
  static override args = {
    fault: text({ required: true, description: 'id of the fault (fault_…)' }),
    file: text({ required: true, description: 'where the bundle is written; it must not be there yet' }),
  };

  async run(): Promise<Answer> {
    const { args } = await this.parse(VerifyBundle);
    const [{ canonicalHash }, bundle] = await Promise.all([
      import('@astro/chain/statements/canonical-hash'),
      bundleOnRecord(args.fault),
    ]);
    await writeFile(args.file, `${JSON.stringify(bundle, null, 2)}\n`, { flag: 'wx' });
    const hash = canonicalHash(bundle);
    this.log(`${args.file}: ${hash}`);
    return { file: args.file, hash };
  }
}

async function bundleOnRecord(faultId: string): Promise<unknown> {
  const [{ connectBus, homeIn, readConnection }, { EventStore }, { bundleOfFault }] = await Promise.all([
    import('@astro/admin/connection'),
    import('@astro/jetstream/event-store'),
    import('@astro/verification/accusation/bundle-of-fault.reader'),
  ]);
  const bus = await connectBus(readConnection(homeIn(process.env)), 'verify-bundle');
  try {
    const [first] = await new EventStore(bus).load({ type: 'verification.accusation', id: faultId });
    const recorded = first?.event as AccusationEvent | undefined;
    if (recorded?.type !== 'FaultRecorded')
      throw new CLIError(`${faultId}: no such fault is on record`, { exit: exitCode.wrongUsage });
    const made = await bundleOfFault(bus, recorded.data.accused);
    if (typeof made === 'string') throw new CLIError(`${faultId}: ${made}`, { exit: exitCode.unreachable });
    return made.bundle;
  } finally {
    await bus.close();
  }
}
