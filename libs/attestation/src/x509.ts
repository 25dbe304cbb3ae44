import 'reflect-metadata';

/** It looks for the polyfill above as it is loaded, and loaders do not agree on the order of static imports. */
export const x509 = await import('@peculiar/x509');
