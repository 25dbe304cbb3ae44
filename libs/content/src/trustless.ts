import { isCid } from '@astro/messages/content-id';
import { fileSizeBytes } from './file-parts.js';
import { wholeFile, type ByteRange, type ReadBlock } from './read-file.js';

/** What a request of the IPFS trustless gateway specification asks for. */
export type Wish =
  | { readonly format: 'raw'; readonly cid: string }
  | { readonly format: 'car'; readonly cid: string; readonly scope: DagScope; readonly range?: EntityBytes };

export type DagScope = (typeof dagScopes)[number];

/** Both ends belong to it; below 0 they count from the end of the file. */
export type EntityBytes = { readonly from: number; readonly to: number | '*' };

export type Unanswerable = { readonly status: 400 | 404 | 406; readonly reason: string };

export type TrustlessRequest = {
  /** As it follows `/ipfs/`, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string | undefined;
};

const RAW = 'application/vnd.ipld.raw';
const CAR = 'application/vnd.ipld.car';
const dagScopes = ['block', 'entity', 'all'] as const;

export function wishOf({ path, query, accept = '' }: TrustlessRequest): Wish | Unanswerable {
  const [cid = '', ...below] = path.split('/');
  if (!isCid(cid)) return { status: 400, reason: 'the path must begin with a CIDv1 by sha2-256 in base32' };
  if (below.some(name => name !== '')) return { status: 404, reason: 'there are no folders here' };
  const format = formatOf(query.get('format'), accept);
  if (typeof format !== 'string') return format;
  if (format === 'raw') return { format, cid };
  const scope = query.get('dag-scope') ?? 'all';
  if (!isScope(scope)) return { status: 400, reason: `dag-scope must be one of ${dagScopes.join(', ')}` };
  const asked = query.get('entity-bytes');
  if (asked === null) return { format, cid, scope };
  const range = entityBytesOf(asked);
  if (!range) return { status: 400, reason: 'entity-bytes must be FROM:TO, whole numbers, or * for the end' };
  return { format, cid, scope: 'entity', range };
}

/** The query counts more than the header, as the specification says. */
function formatOf(format: string | null, accept: string): Wish['format'] | Unanswerable {
  if (format === 'raw' || format === 'car') return format;
  if (format !== null) return { status: 400, reason: 'format must be raw or car' };
  for (const part of accept.split(',')) {
    const [type, ...parameters] = part.split(';').map(text => text.trim().toLowerCase());
    if (type === RAW) return 'raw';
    const isOtherVersion = parameters.some(text => text.startsWith('version=') && text !== 'version=1');
    if (type === CAR && !isOtherVersion) return 'car';
  }
  return { status: 406, reason: `only ${RAW} and ${CAR} of version 1 are served` };
}

const isScope = (text: string): text is DagScope => (dagScopes as readonly string[]).includes(text);

function entityBytesOf(text: string): EntityBytes | undefined {
  const found = /^(-?\d{1,15}):(-?\d{1,15}|\*)$/.exec(text);
  if (!found) return undefined;
  const [, from, to] = found;
  return { from: Number(from), to: to === '*' ? to : Number(to) };
}

/** The range in a file of this size. */
export function rangeWithin({ from, to }: EntityBytes, sizeBytes: number): ByteRange {
  const absolute = (position: number) => (position < 0 ? Math.max(0, sizeBytes + position) : position);
  const last = to === '*' ? sizeBytes - 1 : Math.min(to < 0 ? sizeBytes + to : to, sizeBytes - 1);
  return { fromByte: absolute(from), untilByte: last + 1 };
}

/** The part of a file that a wish for its blocks is about. */
export async function rangeOf(wish: Wish & { readonly format: 'car' }, read: ReadBlock): Promise<ByteRange> {
  // Without bytes there is the root alone.
  if (wish.scope === 'block') return { fromByte: 0, untilByte: 0 };
  if (!wish.range) return wholeFile;
  return rangeWithin(wish.range, fileSizeBytes(wish.cid, await read(wish.cid)));
}

/** Headers of the answer. Who may ask is known by a credential, so that only the asker's own cache may keep it. */
export function headersOf(wish: Wish): Readonly<Record<string, string>> & { readonly etag: string } {
  const file = wish.format === 'raw' ? `${wish.cid}.bin` : `${wish.cid}.car`;
  return {
    'content-type': wish.format === 'raw' ? RAW : `${CAR}; version=1; order=dfs; dups=n`,
    'content-disposition': `attachment; filename="${file}"`,
    etag: etagOf(wish),
    'cache-control': 'private, max-age=29030400, immutable',
    'x-content-type-options': 'nosniff',
    'x-ipfs-path': `/ipfs/${wish.cid}`,
    vary: 'Accept, Authorization',
  };
}

function etagOf(wish: Wish): string {
  if (wish.format === 'raw') return `"${wish.cid}.raw"`;
  const range = wish.range ? `.${wish.range.from}-${wish.range.to}` : '';
  return `W/"${wish.cid}.car.${wish.scope}${range}"`;
}

/** Whether an `If-None-Match` header says that the asker has it. */
export const isKnown = (ifNoneMatch: string | undefined, etag: string): boolean => {
  const bare = (tag: string) => tag.trim().replace(/^W\//, '');
  const tags = ifNoneMatch?.split(',').map(bare) ?? [];
  return tags.includes('*') || tags.includes(bare(etag));
};
