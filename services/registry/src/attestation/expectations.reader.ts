import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AmdRoot, Roots } from '@astro/attestation/roots';
import { rules, rulesDigest, type Rules } from '@astro/attestation/rules';
import { tdxCollateral } from '@astro/attestation/tdx/collateral';
import { vendorRoots } from '@astro/attestation/vendor-roots';
import { z } from 'zod';

/** What evidence is held against, as the platform's operator keeps it in a folder. */
export type Expectations = { readonly rules: Rules; readonly rulesDigest: string; readonly roots: Roots };

const products = ['Milan', 'Genoa', 'Turin'] as const;
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/**
 * Read for each evidence anew, so that lists and collateral which somebody brings up to date every day count at once.
 *
 * - `rules.json`
 * - `amd/<product>.crl`: what the product's root revoked, in DER; a product without it is not trusted
 * - `amd/<product>.pem`: another root in the place of AMD's
 * - `intel/<family>.json`: collateral of a family of processors, and `intel/root.pem` in the place of Intel's
 * - `nvidia/jwks.json`: the keys of the verifier
 *
 * @throws Error that names the file
 */
export async function readExpectations(folder: string): Promise<Expectations> {
  const text = await readText(join(folder, 'rules.json'));
  if (text === undefined) throw new Error(`${join(folder, 'rules.json')} is missing`);
  const read = valid(join(folder, 'rules.json'), text, rules);
  const [amd, intel, nvidia] = await Promise.all([
    amdRoots(join(folder, 'amd')),
    intelRoots(join(folder, 'intel')),
    readText(join(folder, 'nvidia/jwks.json')),
  ]);
  const keys = nvidia === undefined ? undefined : valid('nvidia/jwks.json', nvidia, keySet);
  return {
    rules: read,
    rulesDigest: rulesDigest(read),
    roots: { amd, intel, ...(keys && { nvidia: keys }) },
  };
}

async function amdRoots(folder: string): Promise<readonly AmdRoot[]> {
  const roots = products.map(async product => {
    const crl = await readOptional(join(folder, `${product}.crl`));
    const ark = (await readText(join(folder, `${product}.pem`))) ?? vendorRoots.amd[product];
    return crl ? [{ product, ark: new X509Certificate(ark), crl: new Uint8Array(crl) }] : [];
  });
  return (await Promise.all(roots)).flat();
}

async function intelRoots(folder: string): Promise<NonNullable<Roots['intel']>> {
  const root = new X509Certificate((await readText(join(folder, 'root.pem'))) ?? vendorRoots.intel);
  const names = await readdir(folder).catch(absent);
  const files = (names ?? []).filter(name => name.endsWith('.json')).map(name => join(folder, name));
  const collateral = files.map(async file => valid(file, (await readText(file)) ?? '', tdxCollateral));
  return { root, collateral: await Promise.all(collateral) };
}

function valid<Schema extends z.ZodType>(file: string, text: string, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(jsonOrNothing(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${file}: ${issue?.path.join('.') || 'its content'}: ${issue?.message ?? 'is wrong'}`);
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const readOptional = (file: string): Promise<Buffer | undefined> => readFile(file).catch(absent);
const readText = async (file: string) => (await readOptional(file))?.toString('utf8');

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
