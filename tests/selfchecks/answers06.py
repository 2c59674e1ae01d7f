"""Answers to the exercises of chapter 6."""


def composed(layers):
    size, step = 1, 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * step
        step *= stride
    return size, step


def without_dilation(layers):
    return composed([(kernel, stride, 1) for kernel, stride, _ in layers])


def without_steps(layers):
    return 1 + sum((k - 1) * d for k, _, d in layers), composed(layers)[1]


def dilation_in_the_stride(layers):
    return composed([(kernel, stride * dilation, dilation) for kernel, stride, dilation in layers])


def sampled_at(place):
    def way(label, stride):
        first = place(stride)
        kept = label[first::stride, first::stride]
        return kept.repeat(stride, axis=0).repeat(stride, axis=1)

    return way


RIGHT = {
    "6.1": [composed],
    "6.2": [sampled_at(lambda stride: stride // 2)],
}
WRONG = {
    "6.1": [without_dilation, without_steps, dilation_in_the_stride, (5, 1)],
    "6.2": [
        sampled_at(lambda stride: 0),
        sampled_at(lambda stride: (stride - 1) // 2),
        lambda label, stride: label[stride // 2 :: stride, stride // 2 :: stride],
        lambda label, stride: label,
    ],
}
