import { readFile } from 'node:fs/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/**
 * Makes this process trust the authorities of a file too, whatever it connects by: the bus over TLS or a WebSocket, and
 * the gateway.
 * @throws Error when the file holds no certificate
 */
export async function trustCertificatesOf(file: string): Promise<void> {
  const certificates = (await readFile(file, 'utf8')).match(PEM) ?? [];
  if (certificates.length === 0) throw new Error(`${file} holds no certificate in PEM`);
  setDefaultCACertificates([...getCACertificates('default'), ...certificates]);
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
