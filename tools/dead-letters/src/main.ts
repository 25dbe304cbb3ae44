import { userInfo } from 'node:os';
import { connectBus, homeIn, readConnection } from '@astro/admin/connection';
import { DeadLetterDesk, LetterRefused, type Decision } from '@astro/jetstream/dead-letters-desk';
import { reasonOf } from '@astro/jetstream/log';
import { lineOf, textOf } from './report.js';
import { readRequest, UsageError, type Request } from './request.js';

type Server = { readonly natsUrl: string; readonly natsCredentialsFile?: string };

/** The environment names a server that no platform of this machine runs; without it, that of the state folder. */
function server(env: NodeJS.ProcessEnv): Server {
  const { NATS_URL: natsUrl, NATS_CREDENTIALS_FILE: natsCredentialsFile } = env;
  if (natsUrl) return { natsUrl, ...(natsCredentialsFile && { natsCredentialsFile }) };
  return readConnection(homeIn(env));
}

/** `npm run dead-letters`: looks through what could not be handled, and settles it. */
async function main(args: readonly string[]): Promise<void> {
  const request = readRequest(args, userInfo().username);
  const bus = await connectBus(server(process.env), 'dead-letters');
  try {
    await perform(request, new DeadLetterDesk(bus));
  } finally {
    await bus.close();
  }
}

async function perform(request: Request, desk: DeadLetterDesk): Promise<void> {
  switch (request.kind) {
    case 'list': {
      let count = 0;
      for await (const letter of desk.list(request)) {
        console.log(lineOf(letter, new Date()));
        count += 1;
      }
      console.log(count === 1 ? '1 dead letter' : `${count} dead letters`);
      return;
    }
    case 'show':
      console.log(textOf(await desk.get(request.position)));
      return;
    case 'replay':
      await desk.replay(request.position, decisionIn(request));
      console.log(`dead letter ${request.position} is on its way again`);
      return;
    case 'discard':
      await desk.discard(request.position, decisionIn(request));
      console.log(`dead letter ${request.position} is discarded`);
  }
}

const decisionIn = ({ actor, why }: Decision): Decision => ({ actor, why });

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isExpected = error instanceof UsageError || error instanceof LetterRefused;
  console.error(isExpected ? error.message : reasonOf(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
