import type { NodeSnapshot, Requirements } from './node.js';
import { rules, type RuleName } from './rules.js';

/**
 * For each rule, how many nodes it excludes whatever their load. A node that fails two rules counts under
 * both.
 */
export function explain(needs: Requirements, nodes: Iterable<NodeSnapshot>): Record<RuleName, number> {
  const excluded = Object.fromEntries(rules.map(rule => [rule.name, 0])) as Record<RuleName, number>;
  for (const node of nodes) for (const rule of rules) if (!rule.allows(needs, node)) excluded[rule.name] += 1;
  return excluded;
}
