"""The peers of torch_speed.py. Runs in PyTorch's environment: imports nothing of lmflow."""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Lstm(nn.Module):
    def __init__(self, vocabulary, width=200, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)
        self.output = nn.Linear(width, vocabulary)

    def forward(self, tokens, states):
        flow, states = self.lstm(self.embedding(tokens), states)
        return self.output(flow), tuple(state.detach() for state in states)


class Transformer(nn.Module):
    """Pre-norm, rotary, RMSNorm, SwiGLU, tied, sliding window, carried memory: as lmflow/models/transformer.py."""

    def __init__(self, vocabulary, width=128, layers=4, heads=4, inner=344, memory=64):
        super().__init__()
        self.width, self.heads, self.memory = width, heads, memory
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.RMSNorm(width, 1e-6),
                    "qkv": nn.Linear(width, 3 * width, bias=False),
                    "out": nn.Linear(width, width, bias=False),
                    "feed_norm": nn.RMSNorm(width, 1e-6),
                    "gate_and_up": nn.Linear(width, 2 * inner, bias=False),
                    "down": nn.Linear(inner, width, bias=False),
                }
            )
            for _ in range(layers)
        )
        self.last_norm = nn.RMSNorm(width, 1e-6)

    def forward(self, tokens, states):
        batch, time_steps = tokens.shape
        memory, each = self.memory, self.width // self.heads
        if states is None:
            empty = torch.zeros(batch, len(self.blocks), memory, self.width)
            states = (empty, empty, torch.zeros(batch, memory))
        old_keys, old_values, valid = states
        seen = torch.cat([valid, torch.ones(batch, time_steps)], 1)
        query_at, key_at = torch.arange(time_steps)[:, None], torch.arange(time_steps + memory)[None]
        near = (key_at >= query_at) & (key_at <= query_at + memory)
        mask = near[None, None] & (seen > 0)[:, None, None, :]
        frequency = 10_000.0 ** (-torch.arange(0, each, 2) / each)
        angle = torch.arange(time_steps + memory)[:, None] * frequency
        cosine, sine = angle.cos(), angle.sin()

        def rotated(x, start):
            first, second = x.chunk(2, -1)
            c, s = cosine[start:], sine[start:]
            return torch.cat([first * c - second * s, second * c + first * s], -1)

        def in_heads(x):
            return x.view(batch, -1, self.heads, each).transpose(1, 2)

        flow, keys, values = self.embedding(tokens) * math.sqrt(self.width), [], []
        for number, block in enumerate(self.blocks):
            query, key, value = block["qkv"](block["norm"](flow)).chunk(3, -1)
            key = torch.cat([old_keys[:, number], key], 1)
            value = torch.cat([old_values[:, number], value], 1)
            mixed = F.scaled_dot_product_attention(
                rotated(in_heads(query), memory), rotated(in_heads(key), 0), in_heads(value), attn_mask=mask
            )
            flow = flow + block["out"](mixed.transpose(1, 2).reshape(batch, time_steps, self.width))
            gate, up = block["gate_and_up"](block["feed_norm"](flow)).chunk(2, -1)
            flow = flow + block["down"](F.silu(gate) * up)
            keys.append(key[:, time_steps:].detach())
            values.append(value[:, time_steps:].detach())
        after = (torch.stack(keys, 1), torch.stack(values, 1), seen[:, time_steps:])
        return self.last_norm(flow) @ self.embedding.weight.T, after


def main(family, batch, length, vocabulary, steps, warm_up):
    torch.manual_seed(0)
    model = (Lstm if family == "lstm" else Transformer)(vocabulary)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    text = torch.randint(0, vocabulary, (batch, length * steps + 1))
    states, ends = None, []
    for step in range(steps):
        window = text[:, step * length : (step + 1) * length + 1]
        logits, states = model(window[:, :-1], states)
        loss = F.cross_entropy(logits.reshape(-1, vocabulary), window[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        ends.append(time.perf_counter())
    spent = sorted(b - a for a, b in zip(ends[warm_up:-1], ends[warm_up + 1 :], strict=True))
    print(batch * length / spent[len(spent) // 2])


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
