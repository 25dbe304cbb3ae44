const PDF = 'application/pdf';
const JSON_TYPE = 'application/json';

/** Whether an `Accept` header asks for PDF by its name, and for JSON, by its name, at most as much. */
export function wantsPdf(accept: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map(part => part.trim());
    const weight = parameters.find(parameter => parameter.startsWith('q='))?.slice('q='.length);
    weights.set(type, weight === undefined ? 1 : Number(weight) || 0);
  }
  const pdf = weights.get(PDF) ?? 0;
  return pdf > 0 && pdf >= (weights.get(JSON_TYPE) ?? 0);
}
