import { ArchivistCommand } from '../archive/archivist-command.js';

export default class Invoice extends ArchivistCommand {
  static override summary = 'Write a tenant’s invoice, or recompute one: invoice verify FILE';

  run(): Promise<void> {
    return this.handOn(['invoice', ...this.argv]);
  }
}
