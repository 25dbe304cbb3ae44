import type { Operator } from '@astro/node-agent/cli/operator';
import type { Places } from '@astro/node-agent/cli/places';
import { string } from '@oclif/core/flags';
import { AstroCommand } from '../astro-command.js';

/** Where the node is kept; as root and not, there is a usual place. */
export const placeFlags = {
  config: string({ helpValue: 'FILE', description: 'the node’s configuration', env: 'AGENT_CONFIG' }),
  'state-dir': string({
    helpValue: 'FOLDER',
    description: 'the node’s state; its configuration is there too',
  }),
};

type PlaceFlags = { readonly config?: string | undefined; readonly 'state-dir'?: string | undefined };

/** A command about the node on this machine. */
export abstract class NodeCommand extends AstroCommand {
  protected async places({ config, 'state-dir': stateDir }: PlaceFlags): Promise<Places> {
    const { placesOf } = await import('@astro/node-agent/cli/places');
    return placesOf({ configFile: config, stateDir }, process.env);
  }

  /** @throws NotSetUp */
  protected async operator(flags: PlaceFlags): Promise<Operator> {
    const { operatorOf } = await import('@astro/node-agent/cli/operator');
    return operatorOf(await this.places(flags), process.env);
  }
}
