import { compile } from '../wasi/compile.mjs';

await compile(import.meta.url, ['steps']);
