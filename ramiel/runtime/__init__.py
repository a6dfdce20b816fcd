"""The imports of emitted programs: their base class, layers, weights and `main`."""

from ramiel.runtime.channels import Channel, Channels, Stopped
from ramiel.runtime.distributed.messages import Remote
from ramiel.runtime.distributed.program import DistributedProgram
from ramiel.runtime.encoders import LabelEncoder, TfIdfVectorizer
from ramiel.runtime.errors import OpError, OpIndexError
from ramiel.runtime.inputs import Input, with_defaults
from ramiel.runtime.layer import Layer
from ramiel.runtime.layers import (
    BatchNorm,
    Conv1d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Embedding,
    LayerNorm,
    PReLU,
)
from ramiel.runtime.main import main
from ramiel.runtime.prepared import Conv2d, Linear
from ramiel.runtime.processes.program import ProcessProgram
from ramiel.runtime.program import Program, one_thread
from ramiel.runtime.recurrent import GRU, LSTM, RNN
from ramiel.runtime.streaming import Streaming
from ramiel.runtime.streams.compiled import compiled
from ramiel.runtime.streams.issue import Events
from ramiel.runtime.streams.program import StreamProgram, one_stream
from ramiel.runtime.strings import Strings, strings
from ramiel.runtime.trees import TreeClassifier, TreeEnsemble
from ramiel.runtime.weights import Weights

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "BatchNorm",
    "Channel",
    "Channels",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "DistributedProgram",
    "Embedding",
    "Events",
    "Input",
    "LabelEncoder",
    "Layer",
    "LayerNorm",
    "Linear",
    "OpError",
    "OpIndexError",
    "PReLU",
    "ProcessProgram",
    "Program",
    "Remote",
    "Stopped",
    "StreamProgram",
    "Streaming",
    "Strings",
    "TfIdfVectorizer",
    "TreeClassifier",
    "TreeEnsemble",
    "Weights",
    "compiled",
    "main",
    "one_stream",
    "one_thread",
    "strings",
    "with_defaults",
]
