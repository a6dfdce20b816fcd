"""Programs whose workers are streams of a device: CUDA's, or a stand-in's on the CPU.

A worker issues its operations to a stream of its own, and a channel is an event: `send` records it,
`await` makes the receiving stream wait for it. The first call for some shapes is captured as one
graph, and later calls replay it. Sources: Kwon and others, "Nimble: Lightweight and Parallel GPU
Task Scheduling for Deep Learning", NeurIPS 2020 (streams, events, and capture ahead of time); Ding
and others, "IOS: Inter-Operator Scheduler for CNN Acceleration", MLSys 2021; Chen and others,
"Opara: Exploiting Operator Parallelism for Expediting DNN Inference on GPUs", arXiv 2312.10351.

`device.py` says what a device has to provide, `cuda.py` and `stand_in.py` do.
"""
