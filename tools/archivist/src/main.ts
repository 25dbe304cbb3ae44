import { runArchivist } from './archivist.js';

process.exitCode = await runArchivist(process.argv.slice(2));
