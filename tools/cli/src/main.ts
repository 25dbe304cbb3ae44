import { fileURLToPath } from 'node:url';
import { flush } from '@oclif/core/flush';
import { handle } from '@oclif/core/handle';
import { run } from '@oclif/core/run';
import { settings } from '@oclif/core/settings';
import type * as list from './commands.js';

// What runs is what was built, and nothing looks for sources, plugins or commands beside the list.
settings.enableAutoTranspile = false;

/** Every command is in `commands.ts`; no folder is searched for more. */
const description = {
  name: '@astro/cli',
  version: '0.1.0',
  oclif: {
    bin: 'astro',
    dirname: 'astro',
    topicSeparator: ' ',
    commands: {
      strategy: 'explicit',
      target: './dist/commands.js',
      identifier: 'COMMANDS' satisfies keyof typeof list,
    },
    topics: {
      archive: { description: 'Hold the archive and the streams against each other' },
      data: { description: 'Encrypt what jobs read, and decrypt what they make' },
      node: { description: 'Offer this machine on the market' },
      verify: { description: 'Recompute what others claim' },
    },
  },
} as const;

try {
  const root = fileURLToPath(new URL('..', import.meta.url));
  await run(process.argv.slice(2), { root, pjson: description, userPlugins: false, devPlugins: false });
  await flush();
} catch (error) {
  await handle(error as Error);
}
