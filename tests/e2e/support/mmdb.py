"""Writes a small MaxMind DB file (format 2.0): which network is in which country.

https://maxmind.github.io/MaxMind-DB/
"""

import ipaddress

STRING, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 5, 6, 7, 9, 11


def _head(kind, size):
    assert size < 29, "longer values have another form"
    return bytes([size, kind - 7]) if kind > 7 else bytes([kind << 5 | size])


def _text(text):
    return _head(STRING, len(text)) + text.encode()


def _number(kind, value):
    data = value.to_bytes(8, "big").lstrip(b"\0")
    return _head(kind, len(data)) + data


def _map(**members):
    return _head(MAP, len(members)) + b"".join(_text(name) + value for name, value in members.items())


def write(path, countries):
    """`countries` maps networks to ISO codes; IPv4 lies below ::/96."""
    nodes, data = [[None, None]], b""
    for network, code in countries.items():
        network = ipaddress.ip_network(network)
        shift = 96 if network.version == 4 else 0
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}".rjust(128, "0")
        bits = bits[:network.prefixlen + shift]
        node = 0
        for bit in map(int, bits[:-1]):
            if nodes[node][bit] is None:
                nodes.append([None, None])
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
        nodes[node][int(bits[-1])] = ("data", len(data))
        data += _map(country=_map(iso_code=_text(code)))

    def record(value):
        if value is None:
            value = len(nodes)
        elif isinstance(value, tuple):
            value = len(nodes) + 16 + value[1]
        return value.to_bytes(3, "big")

    metadata = _map(
        binary_format_major_version=_number(UINT16, 2), binary_format_minor_version=_number(UINT16, 0),
        build_epoch=_number(UINT64, 1_700_000_000), database_type=_text("Test-Country"), description=_map(en=_text("test")),
        ip_version=_number(UINT16, 6), languages=_head(ARRAY, 1) + _text("en"), node_count=_number(UINT32, len(nodes)),
        record_size=_number(UINT16, 24))
    tree = b"".join(record(value) for node in nodes for value in node)
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata)
