# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import pickle

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vera_core.codec import MAX_ITEMS, decode, encode, field
from vera_core.errors import WireError


def test_array_is_written_as_the_published_four_entry_map_with_byte_keys():
    raw = msgpack.unpackb(encode({'a': np.arange(6, dtype='<f4').reshape(2, 3)}), strict_map_key=False)['a']
    assert raw == {b'__ndarray__': True, b'data': np.arange(6, dtype='<f4').tobytes(), b'dtype': '<f4', b'shape': [2, 3]}
    scalar = msgpack.unpackb(encode({'s': np.float32(0.5)}), strict_map_key=False)['s']
    assert scalar == {b'__npscalar__': True, b'data': 0.5, b'dtype': '<f4'}


@pytest.mark.parametrize('dtype', ['|u1', '<i2', '>i4', '<i8', '<f2', '<f4', '<f8', '|b1'])
def test_array_comes_back_as_it_was(dtype):
    array = np.arange(24).astype(dtype).reshape(2, 3, 4)
    back = decode(encode({'array': array, 'empty': array[:0], 'n': {'deep': [array]}}))
    np.testing.assert_array_equal(back['array'], array)
    assert back['array'].dtype == array.dtype and not back['array'].flags.writeable
    assert back['empty'].shape == (0, 3, 4)
    np.testing.assert_array_equal(back['n']['deep'][0], array)


def test_other_writers_tags_are_read():
    text_keys = {'__ndarray__': True, 'data': b'\x01\x02', 'dtype': '|u1', 'shape': [2]}
    generic = {b'__npgeneric__': True, b'data': 3, b'dtype': '<i4'}
    back = decode(msgpack.packb({'a': text_keys, 'b': generic}))
    assert back['a'].tolist() == [1, 2] and back['b'] == np.int32(3) and back['b'].dtype == np.int32


@pytest.mark.parametrize(
    ('array', 'words'),
    [
        ({b'__ndarray__': True, b'data': b'12', b'dtype': '|u1', b'shape': [3]}, 'needs 3 bytes, it has 2'),
        ({b'__ndarray__': True, b'data': b'12', b'dtype': '|u1', b'shape': [-2]}, 'shape'),
        ({b'__ndarray__': True, b'data': b'', b'dtype': '|u1', b'shape': [2**40, 2**40]}, 'shape'),
        ({b'__ndarray__': True, b'data': b'12345678', b'dtype': '|O', b'shape': [1]}, 'dtype'),
        ({b'__ndarray__': True, b'data': b'12345678', b'dtype': 'f4,f4', b'shape': [1]}, 'dtype'),
        ({b'__ndarray__': True, b'data': b'1', b'dtype': '<b2', b'shape': [1]}, 'dtype'),
        ({b'__ndarray__': True}, 'dtype'),
        ({b'__npscalar__': True, b'data': 300, b'dtype': '|u1'}, 'cannot hold 300'),
        ({b'__npscalar__': True, b'data': 'x', b'dtype': '|u1'}, 'a number was expected'),
    ],
)
def test_array_that_contradicts_itself_is_refused(array, words):
    with pytest.raises(WireError, match=words):
        decode(msgpack.packb({'a': array}))


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'\xc1',
        pickle.dumps({'a': 1}),
        encode({'a': np.zeros(100)})[:-1],
        encode({'a': 1}) + b'\x00',
        msgpack.packb([1, 2]),
        msgpack.packb({1: 2}),
        msgpack.packb({'x': msgpack.ExtType(5, b'payload')}),
        msgpack.packb({'x': b'\xff\xfe'}).replace(b'\xc4\x02', b'\xa2'),
        b'\x91' * 5000,
        b'\x81' * 5000,
        b'\xdf\xff\xff\xff\xff',
        msgpack.packb({'x': [0] * (MAX_ITEMS + 1)}),
    ],
)
def test_bytes_that_are_no_message_are_refused_in_words(data):
    with pytest.raises(WireError):
        decode(data)


def test_too_long_a_message_is_refused_before_it_is_read():
    with pytest.raises(WireError, match='has 9000 bytes, at most 1000 are taken'):
        decode(b'\x00' * 9000, max_bytes=1000)


def test_what_has_no_words_in_the_format_cannot_be_written():
    for value in (object(), np.array(['text']), np.array([None]), {1, 2}):
        with pytest.raises(WireError, match='cannot be written'):
            encode({'a': value})


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_never_do_more_than_be_refused(data):
    try:
        message = decode(data)
    except WireError:
        return
    assert isinstance(message, dict)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_and_cut_messages_never_do_more_than_be_refused(data):
    whole = bytearray(encode({'type': 'plan', 'context': {'a': np.arange(12, dtype='<f4')}, 'n': [np.float32(1.0), 'text', 5]}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        decode(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


def test_a_scalar_too_large_for_its_type_is_refused():
    page = msgpack.packb({'n': {'__npscalar__': True, 'data': 3.402823669209385e38, 'dtype': '<f4'}})
    with pytest.raises(WireError, match=r'a numpy scalar of dtype <f4 cannot hold 3\.4028'):
        decode(page)


def test_field_looks_at_type_and_value():
    message = {'n': 3, 'f': float('nan'), 't': 'text', 'b': True, 's': np.float32(0.5)}
    assert field(message, 'n', float) == 3.0 and field(message, 's', float) == 0.5 and field(message, 'x', str, default='') == ''
    for name, kind, words in (('x', int, "no 'x'"), ('t', int, 'a str'), ('f', float, 'finite'), ('b', int, 'a bool')):
        with pytest.raises(WireError, match=words):
            field(message, name, kind)
