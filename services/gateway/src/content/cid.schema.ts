import { parseCid } from '@astro/messages/content-id';
import { z } from 'zod';

export const contentId = z
  .string()
  .check(context => {
    const parsed = parseCid(context.value);
    if ('rule' in parsed) context.issues.push({ code: 'custom', message: parsed.rule, input: context.value });
  })
  .meta({
    description:
      'CIDv1 by SHA-256 in lower-case base32, of the raw bytes or of the list of the parts of a file',
    example: 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
    override: { pattern: '^b[a-z2-7]{58}$' },
  });
