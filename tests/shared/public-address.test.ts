import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import { isPublicAddress } from "../../shared/public-address.ts";

const isPublic: Record<string, boolean> = {
  "1.1.1.1": true,
  "8.8.8.8": true,
  "9.255.255.255": true,
  "11.0.0.0": true,
  "100.63.255.255": true,
  "100.128.0.0": true,
  "126.255.255.255": true,
  "128.0.0.0": true,
  "169.253.255.255": true,
  "172.15.255.255": true,
  "172.32.0.0": true,
  "192.167.255.255": true,
  "192.169.0.0": true,
  "198.17.255.255": true,
  "198.20.0.0": true,
  "223.255.255.255": true,
  "0.0.0.0": false,
  "0.1.2.3": false,
  "10.0.0.0": false,
  "10.255.255.255": false,
  "100.64.0.1": false,
  "100.100.100.200": false,
  "100.127.255.255": false,
  "127.0.0.1": false,
  "127.255.255.255": false,
  "168.63.129.16": false,
  "169.254.0.1": false,
  "169.254.169.254": false,
  "172.16.0.0": false,
  "172.31.255.255": false,
  "192.0.0.192": false,
  "192.0.2.1": false,
  "192.88.99.1": false,
  "192.168.0.1": false,
  "198.18.0.1": false,
  "198.19.255.255": false,
  "198.51.100.1": false,
  "203.0.113.1": false,
  "224.0.0.1": false,
  "239.255.255.255": false,
  "240.0.0.1": false,
  "255.255.255.255": false,
  "2606:4700:4700::1111": true,
  "2001:4860:4860::8888": true,
  "2001:200::1": true,
  "3ffe:ffff::1": true,
  "::": false,
  "::1": false,
  "0:0:0:0:0:0:0:1": false,
  "::127.0.0.1": false,
  "::ffff:127.0.0.1": false,
  "::ffff:7f00:1": false,
  "::ffff:8.8.8.8": false,
  "64:ff9b::a00:1": false,
  "64:ff9b:1::a00:1": false,
  "100::1": false,
  "2001::1": false,
  "2001:10::1": false,
  "2001:1ff::1": false,
  "2001:db8::1": false,
  "2002:7f00:1::": false,
  "2002:a00:1::1": false,
  "3fff::1": false,
  "3fff:fff::1": false,
  "fc00::1": false,
  "fd00:ec2::254": false,
  "fe80::1": false,
  "fe80::1%eth0": false,
  "fec0::1": false,
  "ff02::1": false,
  "FE80::1": false,
  "": false,
  "localhost": false,
  "127.1": false,
  "0x7f000001": false,
  "1.1.1.256": false,
  "1.1.1.1.1": false,
  "::1]:80/[": false,
  "2606::1]@x/[2606:": false,
};

for (const [address, expected] of Object.entries(isPublic)) {
  Deno.test(`${address || "nothing"} is ${expected ? "" : "not "}a public address`, () => {
    assertEquals(isPublicAddress(address), expected);
  });
}

Deno.test("an IPv6 address is judged alike in each of its spellings", () => {
  fc.assert(fc.property(fc.ipV6(), (address) => {
    const { hostname } = new URL(`http://[${address}]/`);
    assertEquals(isPublicAddress(hostname.slice(1, -1)), isPublicAddress(address));
  }));
});

Deno.test("whatever stands in it, an IPv6 address outside of 2000::/3 is not public", () => {
  const group = fc.integer({ min: 0, max: 0xffff });
  fc.assert(fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
    const address = groups.map((each) => each.toString(16)).join(":");
    const isGlobal = groups[0]! >= 0x2000 && groups[0]! < 0x4000;
    assert(isGlobal || !isPublicAddress(address), address);
  }));
});
