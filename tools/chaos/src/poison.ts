import { newId } from '@astro/event-sourcing/ids';
import type { Bus } from '@astro/jetstream/bus';
import { DeadLetters, type ListedDeadLetter } from '@astro/jetstream/dead-letters';

export const poisons = [
  'command with a bad schema',
  'command of an unknown type',
  'command without headers',
  'oversized command',
  'report with a bad schema',
  'heartbeat with a bad schema',
] as const;
export type Poison = (typeof poisons)[number];

/** Beyond what a command stream takes. */
const oversizeBytes = 5 * 1_024 * 1_024;
/** No message of ours begins like this: a field number of zero. */
const garbage = Uint8Array.of(0, 255, 255, 1, 2, 3);

/** A poisoned message that a stream took, where a dead letter is due. */
export type Dose = { readonly poison: Poison; readonly stream: string; readonly position: number };

/** Publishes it. Undefined when the stream refused it, as it must what is oversized. @throws when it took that */
export async function administer(bus: Bus, poison: Poison): Promise<Dose | undefined> {
  const { subject, data } = messageOf(poison);
  const tooLarge = poison === 'oversized command';
  try {
    const { stream, seq } = await bus.js.publish(subject, data);
    if (!tooLarge) return { poison, stream, position: seq };
  } catch (error) {
    if (tooLarge && error instanceof Error && /maximum|exceed|max/i.test(error.message)) return undefined;
    throw error;
  }
  throw new Error(`the bus took ${oversizeBytes} bytes as a command`);
}

function messageOf(poison: Poison): { readonly subject: string; readonly data: Uint8Array } {
  switch (poison) {
    case 'command with a bad schema':
      return { subject: `cmd.scheduling.job.${newId('job')}.SubmitJob`, data: garbage };
    case 'command of an unknown type':
      return { subject: `cmd.billing.account.${newId('tenant')}.StealFunds`, data: garbage };
    case 'command without headers':
      return { subject: `cmd.registry.tenant.${newId('tenant')}.RegisterTenant`, data: new Uint8Array() };
    case 'oversized command':
      return { subject: `cmd.scheduling.job.${newId('job')}.SubmitJob`, data: new Uint8Array(oversizeBytes) };
    case 'report with a bad schema':
      return { subject: `agent.${newId('node')}.TaskCompleted`, data: garbage };
    case 'heartbeat with a bad schema':
      return { subject: `telemetry.${newId('node')}.Heartbeat`, data: garbage };
  }
}

export async function allDeadLetters(bus: Bus): Promise<readonly ListedDeadLetter[]> {
  const letters = new DeadLetters(bus);
  const all: ListedDeadLetter[] = [];
  for (;;) {
    const page = await letters.list({ afterPosition: all.at(-1)?.position ?? 0 });
    if (page.length === 0) return all;
    all.push(...page);
  }
}
