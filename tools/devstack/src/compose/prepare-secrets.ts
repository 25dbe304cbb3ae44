import { prepareSecrets } from './secrets.js';

/** In the container `prepare-secrets`: the argument is the folder under which the secrets' volumes are mounted. */
const [, , folder] = process.argv;
if (!folder) throw new Error('Which folder?');
console.log(
  (await prepareSecrets(folder)) ? 'made every key and password' : 'the keys and passwords are there',
);
