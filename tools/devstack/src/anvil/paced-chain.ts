import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BlockMaker, pacedArguments } from './block-maker.js';
import { launchAnvil, type AnvilServer } from './server.js';

export type PacedChainOptions = {
  /** Holds the chain and the log: starting again here continues from them. */
  readonly dir: string;
  readonly port?: number;
  readonly log: (line: string) => void;
  readonly onExit?: (reason: string) => void;
};

export const chainFileIn = (dir: string): string => join(dir, 'chain.json');

/** Starts a local chain whose blocks a block maker makes; none that is final is ever lost. */
export async function startPacedChain(options: PacedChainOptions): Promise<AnvilServer> {
  const { dir, log, onExit } = options;
  const stateFile = chainFileIn(dir);
  let maker: BlockMaker | undefined;
  const anvil = await launchAnvil(
    {
      ...options,
      onExit: reason => {
        void maker?.stop();
        onExit?.(reason);
      },
    },
    pacedArguments(existsSync(stateFile) ? stateFile : undefined),
  );
  try {
    maker = await BlockMaker.start({ url: anvil.url, stateFile, log });
  } catch (error) {
    await anvil.stop();
    throw error;
  }
  return {
    ...anvil,
    stop: async () => {
      await maker.stop();
      await anvil.stop();
    },
  };
}
