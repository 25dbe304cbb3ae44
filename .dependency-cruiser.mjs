// The boundaries of ARCHITECTURE.md as errors. tools/quality/src/boundaries.spec.ts plants a breach of each.

/** Specs, and what several of them share. */
const spec = '\\.(spec|fixture)\\.ts$';
const generated = '^libs/(messages|chain)/src/gen/';

/** A file of a deciding service with no role suffix: the pure domain. */
const domain = '^services/(registry|scheduling|billing|verification)/src/[^.]+\\.ts$';
const inTheSameService = '^services/$1/src/[^.]+\\.ts$';

const npm = name => `(^|/)node_modules/${name}(/|$)`;
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

export default {
  forbidden: [
    rule('no-cycles', 'A cycle is one module in several files.', {}, { circular: true }),
    rule(
      'no-orphans',
      'Nothing uses it and it uses nothing.',
      { orphan: true, pathNot: ['/src/main\\.ts$', spec, '\\.d\\.ts$', '\\.config\\.m?js$', '^examples/'] },
      {},
    ),
    // A rival brings packages of its own, and what its own build resolves.
    rule(
      'resolvable',
      'The import leads nowhere.',
      { pathNot: '^tools/bench/rivals/' },
      { couldNotResolve: true },
    ),
    rule(
      'declared',
      'Every package that is imported is declared in the root package.json.',
      {},
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    ),
    rule(
      'no-development-packages',
      'What runs in production imports no devDependency.',
      { path: '^(libs|services)/[^/]+/src/', pathNot: spec },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'no-built-output',
      'Import the source.',
      {},
      { path: '^(libs|services|tools|examples)/[^/]+/dist/' },
    ),
    rule(
      'no-path-into-packages',
      'Import what the package exports, by its name.',
      {},
      { path: '(^|/)node_modules/', dependencyTypes: ['local'] },
    ),
    rule(
      'services-apart',
      'Services talk through messages only.',
      { path: '^services/([^/]+)/' },
      { path: '^services/', pathNot: '^services/$1/' },
    ),
    rule(
      'services-without-tools',
      'Only a spec may start the real servers of tools/.',
      { path: '^(libs|services)/', pathNot: spec },
      { path: '^(tools|examples)/' },
    ),
    rule(
      'libs-below-services',
      'A library knows no service; its specs know tools/devstack only.',
      { path: '^libs/' },
      { path: ['^services/', '^examples/', '^tools/(?!devstack/)'] },
    ),
    rule(
      'event-sourcing-alone',
      'Deciders, projections and reactors know no bus, no framework, no database.',
      { path: '^libs/event-sourcing/', pathNot: spec },
      { path: ['^libs/(?!event-sourcing/)', npm('(?!typeid-js/|@types/)[^/]+')] },
    ),
    rule(
      'messages-alone',
      'Payloads know only protobuf, content ids and the shape of a message.',
      { path: '^libs/messages/', pathNot: spec },
      { path: ['^libs/(?!event-sourcing/|messages/)', npm('(?!@bufbuild/|multiformats/|@types/)[^/]+')] },
    ),
    rule(
      'matching-alone',
      'The placement engine is arithmetic.',
      { path: '^libs/matching/', pathNot: spec },
      { path: ['^libs/(?!matching/)', npm('(?!@types/)[^/]+')] },
    ),
    rule(
      'matching-without-io',
      'The placement engine is arithmetic.',
      { path: '^libs/matching/', pathNot: spec },
      { dependencyTypes: ['core'] },
    ),
    rule(
      'attestation-alone',
      'Evidence is verified by what is handed in: no file, no network, nothing of the platform.',
      { path: '^libs/attestation/', pathNot: spec },
      { path: ['^libs/(?!attestation/)', '^(node:)?(fs|net|http|https|dns|child_process)(/|$)'] },
    ),
    rule(
      'nats-in-jetstream',
      'One library knows the NATS client.',
      { pathNot: '^libs/jetstream/' },
      { path: [npm('@nats-io'), npm('nats')] },
    ),
    rule(
      'ethers-in-chain',
      'One library knows the chain client.',
      { pathNot: '^libs/chain/' },
      { path: npm('ethers') },
    ),
    rule(
      'nest-at-the-edge',
      'Only the runtime, the transport and services know Nest.',
      { path: '^libs/', pathNot: ['^libs/(runtime|jetstream)/'] },
      { path: npm('@nestjs') },
    ),
    rule(
      'read-models-only-read',
      'A read model is a table, how events fill it and how it is queried.',
      { path: '^libs/read-models/', pathNot: spec },
      {
        path: [
          '^libs/(?!read-models/|event-sourcing/|messages/|postgres/|chain/)',
          npm('(?!@mikro-orm/|@types/)[^/]+'),
        ],
      },
    ),
    rule(
      'libs-in-layers',
      'The bus and the database know neither each other nor what is built on them.',
      { path: '^libs/(jetstream|postgres)/', pathNot: spec },
      { path: '^libs/(?!event-sourcing/|messages/)', pathNot: '^libs/$1/' },
    ),
    rule(
      'domain-is-pure',
      'A file with no role suffix is pure domain.',
      { path: domain, pathNot: '/src/main\\.ts$' },
      {
        pathNot: [
          inTheSameService,
          '^libs/(event-sourcing|messages|matching)/',
          '^libs/chain/src/(payouts|statements)/', // arithmetic over what is signed and proven
          '^util$', // isDeepStrictEqual
        ],
      },
    ),
  ],
  options: {
    tsPreCompilationDeps: true, // types count as well: a boundary is about what one must know
    combinedDependencies: true, // all dependencies are declared in the root package.json
    doNotFollow: {
      path: ['(^|/)node_modules/', '(^|/)(dist|build)/', generated],
    },
    webpackConfig: { fileName: new URL('./tools/quality/workspaces.mjs', import.meta.url).pathname },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.json', '.d.ts'],
    },
  },
};
