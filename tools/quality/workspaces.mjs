// Lets dependency-cruiser follow `@astro/<workspace>/<file>` to the source instead of the built output, so that the
// boundaries are judged on what is written, built or not. The shape is that of a webpack configuration.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const alias = {};
for (const kind of ['libs', 'services', 'tools', 'examples']) {
  const folder = join(process.cwd(), kind);
  for (const workspace of existsSync(folder) ? readdirSync(folder) : []) {
    const source = join(folder, workspace, 'src');
    // Only the messages keep what they export in a folder of generated files; see libs/messages/package.json.
    if (workspace === 'messages') {
      for (const name of [
        'codec',
        'compute-unit',
        'fault-terms',
        'commitment',
        'content-id',
        'corpus',
        'asks',
        'attestation-kinds',
        'budget-periods',
        'encryption',
        'fact-id',
        'holdings',
        'invoice-month',
        'ledger-accounts',
        'nkey',
        'node-key-statement',
        'result-digest',
        'runtimes',
        'unconstrained',
      ])
        alias[`@astro/messages/${name}`] = join(source, `${name}.ts`);
    }
    alias[`@astro/${workspace}/*`] = workspace === 'messages' ? join(source, 'gen/*') : `${source}/*`;
  }
}

export default { resolve: { alias } };
