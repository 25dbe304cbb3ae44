/**
 * Groups of devices that links join, directly or over others.
 * @param links pairs of devices; what is not below `count` is no device and is passed over
 * @returns the lowest device of a device's group; undefined for one that nothing joins
 */
export function linkedGroups(
  count: number,
  links: readonly (readonly [number, number])[],
): (device: number) => number | undefined {
  const lowest = Array.from({ length: count }, (_, device) => device);
  const find = (device: number): number =>
    lowest[device] === device ? device : (lowest[device] = find(lowest[device]!));
  const joined = new Set<number>();
  for (const [left, right] of links) {
    if (left >= count || right >= count || left === right) continue;
    const [low, high] = [find(left), find(right)].sort((one, other) => one - other);
    lowest[high!] = low!;
    joined.add(left).add(right);
  }
  return device => (joined.has(device) ? find(device) : undefined);
}
