import {
  accountKeeperCredentials,
  generateOperatorKit,
  serviceCredentials,
  type OperatorKit,
} from '@astro/jetstream/operator-kit';
import type { StateFolder } from '../state.js';
import type { Infrastructure } from './infrastructure.js';

const kitFile = 'operator-kit';

/**
 * The keys of the NATS server of this state folder: made the first time, the same ever after. What they have signed is
 * signed anew where this version of the platform would say something else.
 */
export function operatorKit(state: StateFolder): OperatorKit {
  const kit = generateOperatorKit(state.read<OperatorKit>(kitFile));
  state.write(kitFile, kit);
  return kit;
}

/** What clients of a server with this kit need. */
export function accessOf(
  kit: OperatorKit,
  state: StateFolder,
): Pick<
  Infrastructure,
  'credentialsFileOf' | 'agentAccountPublicKey' | 'agentSigningSeed' | 'agentAccountKeeper'
> {
  return {
    credentialsFileOf: client =>
      state.writeFile(`credentials/${client}.creds`, serviceCredentials(kit, client)),
    agentAccountPublicKey: kit.agentAccountPublicKey,
    agentSigningSeed: kit.agentSigningSeed,
    agentAccountKeeper: {
      operatorSigningSeed: kit.operatorSigningSeed,
      credentialsFile: state.writeFile(
        'credentials/account-keeper.creds',
        accountKeeperCredentials(kit, 'registry'),
      ),
    },
  };
}
