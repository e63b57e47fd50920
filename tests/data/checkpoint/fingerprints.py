#!/usr/bin/env python3
"""Computes the fingerprints of v1.bin from the documentation of the format, and nothing else: prints network, optimizer, extra."""

import struct


def fnv(data):
    h=0xcbf29ce484222325
    for b in data: h=((h^b)*0x100000001b3)&(2**64-1)
    return h
text=lambda t: t.encode()+b'\0'
num=lambda n: struct.pack('<I',n)
net=text('f32')+b''.join(map(text,['Dense','BatchNorm','Relu','Dense']))
for name,shape in [('0.weight',[4,5]),('0.bias',[5]),('1.weight',[5]),('1.bias',[5]),('1.running_mean',[5]),('1.running_var',[5]),('3.weight',[5,3]),('3.bias',[3])]:
    n=1
    for s in shape: n*=s
    net+=text(name)+num(n)+num(len(shape))+b''.join(map(num,shape))
opt=text('Adam')+num(2)+num(3)
extra=text('Rng')+num(0)+text('u64')+num(1)+text('array')+num(3)+3*(text('u16')+num(1))+text('bool')+num(1)+text('f32')+num(1)
print([hex(fnv(x)) for x in (net,opt,extra)])
