import { generateOperatorKit, serviceCredentials, type OperatorKit } from '@astro/jetstream/credentials';
import type { StateFolder } from '../state.js';
import type { Infrastructure } from './infrastructure.js';

/** The keys of the NATS server of this state folder: made the first time, the same ever after. */
export const operatorKit = (state: StateFolder): Promise<OperatorKit> =>
  state.once<OperatorKit>('operator-kit', generateOperatorKit);

/** What clients of a server with this kit need. */
export function accessOf(
  kit: OperatorKit,
  state: StateFolder,
): Pick<Infrastructure, 'credentialsFileOf' | 'agentAccountPublicKey' | 'agentSigningSeed'> {
  return {
    credentialsFileOf: client =>
      state.writeFile(`credentials/${client}.creds`, serviceCredentials(kit, client)),
    agentAccountPublicKey: kit.accountPublicKey,
    agentSigningSeed: kit.agentSigningSeed,
  };
}
