import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const examples = fileURLToPath(new URL('..', import.meta.url));

/**
 * Compiles `assembly/<name>.ts` of the example that `script` belongs to into `build/<name>.wasm`. The programs import
 * nothing but WASI preview 1.
 */
export async function compile(script, names) {
  const folder = dirname(fileURLToPath(script));
  const example = basename(folder);
  await mkdir(join(folder, 'build'), { recursive: true });
  for (const name of names) {
    const files = [`${example}/assembly/${name}.ts`, '--outFile', `${example}/build/${name}.wasm`];
    const code = ['--exportStart', '_start', '-O3', '--runtime', 'minimal', '--enable', 'simd'];
    const { error, stderr } = await asc.main([
      ...files,
      ...['--baseDir', examples, '--use', 'abort=wasi/wasi/abort'],
      ...code,
    ]);
    if (error) {
      process.stderr.write(stderr.toString());
      throw new Error(`${example}/${name} does not compile`, { cause: error });
    }
  }
}
