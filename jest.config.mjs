import { availableParallelism } from 'node:os';

/** What of the messages is written by hand; all else is generated. */
const written = [
  ...[
    'asks',
    'attestation-kinds',
    'budget-periods',
    'compute-unit',
    'codec',
    'commitment',
    'content-id',
    'corpus',
    'encryption',
    'fact-id',
    'fault-terms',
    'holdings',
    'invoice-month',
  ],
  ...['ledger-accounts', 'nkey', 'node-key-statement', 'result-digest', 'runtimes', 'unconstrained'],
];

/** The libraries are ECMAScript modules, so Jest runs with --experimental-vm-modules (see tools/bootstrap). */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  modulePathIgnorePatterns: ['/dist/'],
  // Hooks start servers and whole platforms; on a busy machine that takes its time.
  testTimeout: 60_000,
  // Two at least, because many specs wait for servers of theirs; in processes that are replaced before their memory,
  // where each spec leaves its modules, makes the ones after it slow.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  workerIdleMemoryLimit: '1GB',
  testMatch: ['**/*.spec.ts'],
  setupFiles: ['<rootDir>/tools/quality/property-seed.mjs'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2023',
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
        swcrc: false,
      },
    ],
  },
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    [`^@astro/messages/(${written.join('|')})$`]: '<rootDir>/libs/messages/src/$1.ts',
    '^@astro/messages/(.+)$': '<rootDir>/libs/messages/src/gen/$1.ts',
    '^@astro/digits/(.+)$': '<rootDir>/examples/digits/src/$1.ts',
    '^@astro/(devstack|admin|demo)/(.+)$': '<rootDir>/tools/$1/src/$2.ts',
    '^@astro/(gateway|registry|scheduling|billing|verification|node-agent|chain-indexer)/(.+)$':
      '<rootDir>/services/$1/src/$2.ts',
    '^@astro/([^/]+)/(.+)$': '<rootDir>/libs/$1/src/$2.ts',
  },
};
