import { stopLeftoverPostgres } from './postgres/leftover.js';
import { ProcessRegister } from './process-register.js';
import { homeFolder } from './repository.js';
import { StateFolder } from './state.js';

/** `npm run reset`: forgets everything that `npm start` kept. */
async function main(): Promise<void> {
  const home = homeFolder();
  if (!StateFolder.isOne(home)) return console.log(`There is nothing to forget in ${home}.`);
  const state = StateFolder.open(home);
  // A platform that was killed may have left processes that still write here.
  await new ProcessRegister(state).stopLeftovers();
  await stopLeftoverPostgres(state.folder('postgres'));
  state.forget();
  console.log(`Forgot everything in ${home}.`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
