"""Models as a service: the Open Inference Protocol, version 2, over HTTP."""
