import { Injectable } from '@nestjs/common';

/** The routes that the HTTP server really has, as they were registered. */
@Injectable()
export class RouteTable {
  private readonly routes = new Map<string, Set<string>>();

  add(path: string, methods: string | readonly string[]): void {
    const known = this.routes.get(path) ?? new Set();
    for (const method of [methods].flat()) known.add(method);
    this.routes.set(path, known);
  }

  /** Methods of the resource at `path`; none when there is no such resource. */
  methodsOf(path: string): readonly string[] {
    const segments = path.split('/');
    const matching = [...this.routes].filter(([pattern]) => matches(pattern.split('/'), segments));
    return [...new Set(matching.flatMap(([, methods]) => [...methods]))].sort();
  }

  /** `GET /v1/jobs/:id` and so on. */
  list(): readonly string[] {
    return [...this.routes]
      .flatMap(([path, methods]) => [...methods].map(method => `${method} ${path}`))
      .sort();
  }
}

/** A star at the end stands for whatever follows. */
function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  const isOpen = pattern.at(-1) === '*';
  if (isOpen ? pattern.length > segments.length : pattern.length !== segments.length) return false;
  const parts = isOpen ? pattern.slice(0, -1) : pattern;
  return parts.every((part, index) =>
    part.startsWith(':') ? segments[index] !== '' : part === segments[index],
  );
}
