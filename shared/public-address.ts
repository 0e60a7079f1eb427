/** Address blocks of IPv4 that no public server has (IANA's special-purpose registry), as base and length. */
const PRIVATE_IPV4: readonly [base: string, bits: number][] = [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // shared by a carrier's customers
  ["127.0.0.0", 8], // loopback
  ["168.63.129.16", 32], // the metadata address of Azure
  ["169.254.0.0", 16], // link-local, with the metadata address of most clouds
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // relays of 6to4
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 3], // multicast, reserved, broadcast
];

/**
 * Whether an IP address, as DNS or a URL writes it, can be a public server's. Of IPv6 only global unicast addresses that
 * carry no IPv4 address are: mapped, translated and tunnelled ones could name a private one.
 */
export function isPublicAddress(address: string): boolean {
  const ipv4 = parseIpv4(address);
  if (ipv4 !== null) return !PRIVATE_IPV4.some(([base, bits]) => isWithin(ipv4, parseIpv4(base)!, bits));
  const groups = parseIpv6(address);
  if (groups === null) return false;
  const [first, second] = groups as [number, number];
  if (first < 0x2000 || first > 0x3fff) return false; // not global unicast (2000::/3)
  if (first === 0x2001 && second < 0x200) return false; // 2001::/23: protocols, Teredo among them
  if (first === 0x2001 && second === 0xdb8) return false; // documentation
  if (first === 0x2002) return false; // 6to4
  return !(first === 0x3fff && second < 0x1000); // 3fff::/20: documentation
}

function parseIpv4(text: string): number | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return null;
  const bytes = text.split(".").map(Number);
  return bytes.every((byte) => byte < 256) ? bytes.reduce((sum, byte) => sum * 256 + byte, 0) : null;
}

function isWithin(address: number, base: number, bits: number): boolean {
  const size = 2 ** (32 - bits);
  return Math.floor(address / size) === Math.floor(base / size);
}

/** The eight groups of an IPv6 address; the URL parser reads every way of writing one. */
function parseIpv6(text: string): number[] | null {
  const url = `http://[${text}]/`;
  if (!/^[0-9a-f:.]+$/i.test(text) || !URL.canParse(url)) return null;
  const [head, tail] = new URL(url).hostname.slice(1, -1).split("::").map(groupsOf);
  if (!tail) return head!;
  return [...head!, ...new Array(8 - head!.length - tail.length).fill(0), ...tail];
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
}
