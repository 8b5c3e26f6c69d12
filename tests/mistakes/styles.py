"""Right solutions in many styles: text of tests/coursework/rnn_layers.py, and what stands there instead."""

from __future__ import annotations

from typing import Final

STYLES: Final[dict[str, list[tuple[str, str]]]] = {
    "einsum": [
        ("x.dot(Wx) + prev_h.dot(Wh)", "np.einsum('nd,dh->nh', x, Wx) + np.einsum('nk,kh->nh', prev_h, Wh)"),
        ("dx = dz.dot(Wx.T)", "dx = np.einsum('nh,dh->nd', dz, Wx)"),
        ("dWh = prev_h.T.dot(dz)", "dWh = np.einsum('nk,nh->kh', prev_h, dz)"),
        ("db = dz.sum(axis=0)", "db = np.einsum('nh->h', dz)"),
    ],
    "a loop over the rows": [
        ("dWx = x.T.dot(dz)", "dWx = np.zeros_like(Wx)\n    for n in range(len(x)):\n        dWx += np.outer(x[n], dz[n])"),
        ("db = dz.sum(axis=0)", "db = 0\n    for row in dz:\n        db = db + row"),
    ],
    "split": [
        (
            "    i = sigmoid(a[:, :H])\n    f = sigmoid(a[:, H : 2 * H])\n    o = sigmoid(a[:, 2 * H : 3 * H])\n"
            "    g = np.tanh(a[:, 3 * H :])",
            "    i, f, o, g = np.split(a, 4, axis=1)\n    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)",
        ),
        ("np.hstack((dai, daf, dao, dag))", "np.concatenate([dai, daf, dao, dag], axis=1)"),
    ],
    "concatenated weights": [
        ("x.dot(Wx) + prev_h.dot(Wh)", "np.hstack((x, prev_h)).dot(np.vstack((Wx, Wh)))"),
        (
            "    dx = dz.dot(Wx.T)\n    dprev_h = dz.dot(Wh.T)\n    dWx = x.T.dot(dz)\n    dWh = prev_h.T.dot(dz)",
            "    D = x.shape[1]\n    both = dz.dot(np.vstack((Wx, Wh)).T)\n    dx, dprev_h = both[:, :D], both[:, D:]\n"
            "    dW = np.hstack((x, prev_h)).T.dot(dz)\n    dWx, dWh = dW[:D], dW[D:]",
        ),
    ],
    "lists that are reversed, popped and stacked": [
        ("    h = np.zeros((N, T, H))\n    cache = []\n    prev_h = h0", "    h = []\n    cache = []\n    prev_h = h0"),
        ("h[:, t] = prev_h", "h.append(prev_h)"),
        ("    return h, cache", "    return np.stack(h, axis=1), cache"),
        ("    dx = np.zeros((N, T, D))\n", "    dx = []\n"),
        ("dx[:, t] = dx_t", "dx.append(dx_t)"),
        ("dx[:, t], dprev_h, dprev_c, dWx_t, dWh_t, db_t = step", "dx_t, dprev_h, dprev_c, dWx_t, dWh_t, db_t = step\n        dx.append(dx_t)"),
        ("cache[t])", "cache.pop())"),
        ("    return dx, dprev_h, dWx, dWh, db\n\n\ndef lstm_step_f", "    return np.stack(dx[::-1], axis=1), dprev_h, dWx, dWh, db\n\n\ndef lstm_step_f"),
        ("    return dx, dprev_h, dWx, dWh, db\n\n\ndef word", "    return np.stack(dx[::-1], axis=1), dprev_h, dWx, dWh, db\n\n\ndef word"),
    ],
    "a dict for the cache and for the gradients": [
        ("cache = x, W\n", "cache = {'x': x, 'rows': W.shape}\n"),
        ("    x, W = cache\n    dW = np.zeros_like(W)", "    x = cache['x']\n    dW = np.zeros(cache['rows'])"),
        ("return dW", "return {'W': dW}"),
    ],
    "one-hot words": [
        ("np.add.at(dW, x, dout)", "dW = np.einsum('ntv,ntd->vd', np.eye(len(W))[x], dout)"),
    ],
    "a loop over the words": [
        ("np.add.at(dW, x, dout)", "for at in np.ndindex(*x.shape):\n        dW[x[at]] += dout[at]"),
    ],
    "tensordot and transposes": [
        ("x.reshape(N * T, D).dot(w).reshape(N, T, M) + b", "np.tensordot(x, w, 1) + b"),
        ("dout.reshape(N * T, M).dot(w.T).reshape(N, T, D)", "dout @ w.T"),
        ("x.reshape(N * T, D).T.dot(dout.reshape(N * T, M))", "np.tensordot(x, dout, ((0, 1), (0, 1)))"),
        ("dout.sum(axis=(0, 1))", "dout.T.reshape(M, -1).sum(axis=1)"),
    ],
    "log-sum-exp": [
        (
            "    loss = -np.sum(mask_flat * np.log(probs[np.arange(N * T), y_flat])) / N",
            "    top = x_flat.max(axis=1)\n    lse = top + np.log(np.exp(x_flat - top[:, None]).sum(axis=1))\n"
            "    loss = float(np.sum((lse - x_flat[np.arange(N * T), y_flat]) * mask_flat) / N)",
        ),
        ("dx_flat[np.arange(N * T), y_flat] -= 1", "dx_flat -= np.eye(V)[y_flat]"),
    ],
    "hyperbolic functions": [
        ("next_h = np.tanh(x.dot(Wx) + prev_h.dot(Wh) + b)", "z = x.dot(Wx) + prev_h.dot(Wh) + b\n    next_h = np.sinh(z) / np.cosh(z)"),
        ("dnext_h * (1 - next_h**2)", "dnext_h * (1 + next_h) * (1 - next_h)"),
    ],
    "a dict for the cache of a step": [
        ("cache = x, prev_h, Wx, Wh, next_h", "cache = {'x': x, 'prev_h': prev_h, 'Wx': Wx, 'Wh': Wh, 'next_h': next_h}"),
        ("    x, prev_h, Wx, Wh, next_h = cache", "    x, prev_h, Wx, Wh, next_h = (cache[k] for k in ('x', 'prev_h', 'Wx', 'Wh', 'next_h'))"),
    ],
    "matrix operators": [
        ("a = x.dot(Wx) + prev_h.dot(Wh) + b", "a = x @ Wx + prev_h @ Wh + b[None, :]"),
        ("dWx = x.T.dot(da)", "dWx = np.transpose(x) @ da"),
        ("db = da.sum(axis=0)", "db = np.ones(len(da)) @ da"),
    ],
    "gates in one array": [
        ("    di = dc * g\n", "    di = dc * g\n    gates = np.stack((i, f, o))\n"),
        ("    dai = di * i * (1 - i)\n    daf = df * f * (1 - f)\n    dao = do * o * (1 - o)\n", "    dai, daf, dao = np.stack((di, df, do)) * gates * (1 - gates)\n"),
    ],
    "time first": [
        ("    h = np.zeros((N, T, H))\n    cache = []\n    prev_h = h0\n    for t in range(T):\n        prev_h, step = rnn_step_forward(x[:, t], prev_h, Wx, Wh, b)\n        h[:, t] = prev_h\n        cache.append(step)\n    return h, cache",
         "    steps, cache, prev_h = [], [], h0\n    for x_t in x.transpose(1, 0, 2):\n        prev_h, step = rnn_step_forward(x_t, prev_h, Wx, Wh, b)\n        steps += [prev_h]\n        cache += [step]\n    return np.array(steps).transpose(1, 0, 2), cache"),
    ],
    "a sum of outer products": [
        ("dw = x.reshape(N * T, D).T.dot(dout.reshape(N * T, M))", "dw = sum(x[:, t].T @ dout[:, t] for t in range(T))"),
        ("db = dout.sum(axis=(0, 1))", "db = np.sum(np.sum(dout, axis=0), axis=0)"),
    ],
    "a loop over the positions": [
        ("    dx = dx_flat.reshape(N, T, V)\n    return loss, dx", "    dx = np.zeros_like(x)\n    for n in range(N):\n        for t in range(T):\n            if mask[n, t]:\n                p = np.exp(x[n, t] - x[n, t].max())\n                dx[n, t] = p / p.sum() / N\n                dx[n, t, y[n, t]] -= 1 / N\n    return loss, dx"),
    ],
    "words that are sorted": [
        ("np.add.at(dW, x, dout)", "flat, rows = x.ravel(), dout.reshape(-1, dout.shape[-1])\n    for word in np.unique(flat):\n        dW[word] = rows[flat == word].sum(axis=0)"),
    ],
}  # fmt: skip

SOLUTIONS: Final[list[tuple[str, str]]] = [
    ("einsum", "rnn_step"),
    ("a loop over the rows", "rnn_step"),
    ("concatenated weights", "rnn_step"),
    ("split", "lstm_step"),
    ("split", "lstm"),
    ("lists that are reversed, popped and stacked", "rnn"),
    ("lists that are reversed, popped and stacked", "lstm"),
    ("a dict for the cache and for the gradients", "word_embedding"),
    ("one-hot words", "word_embedding"),
    ("a loop over the words", "word_embedding"),
    ("tensordot and transposes", "temporal_affine"),
    ("log-sum-exp", "temporal_softmax_loss"),
    ("hyperbolic functions", "rnn_step"),
    ("a dict for the cache of a step", "rnn_step"),
    ("matrix operators", "lstm_step"),
    ("gates in one array", "lstm_step"),
    ("time first", "rnn"),
    ("a sum of outer products", "temporal_affine"),
    ("a loop over the positions", "temporal_softmax_loss"),
    ("words that are sorted", "word_embedding"),
]
"""A style, and a function that is written in it."""
