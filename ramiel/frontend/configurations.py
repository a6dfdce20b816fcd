"""Device configurations of a model (IR version 11): the pipeline stages of its nodes.

A `DeviceConfigurationProto` of the model has a name and a number of devices; a node refers to it by
name and gives its `pipeline_stage`. Sharding specifications are not read.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from ramiel.errors import CompileError, shorten


def configuration_names(model: onnx.ModelProto) -> list[str]:
    """The names of a model's device configurations. Raises CompileError for one without a name or
    without devices, and for two of one name."""
    names: list[str] = []
    for configuration in model.configuration:
        if not configuration.name:
            raise CompileError("a device configuration of the model has no name")
        if configuration.name in names:
            raise CompileError(
                f"two device configurations have the name {shorten(configuration.name)!r}"
            )
        if configuration.num_devices < 1:
            raise CompileError(
                f"the device configuration {shorten(configuration.name)!r} has "
                f"{configuration.num_devices} devices: at least 1"
            )
        names.append(configuration.name)
    return names


def stages_of(node: onnx.NodeProto, configurations: Sequence[str]) -> list[int] | None:
    """The pipeline stage of a node in each of the model's configurations, -1 where it has none;
    None if it has none at all.

    Raises CompileError for a configuration that the model does not have or that the node names
    twice, and for a negative stage.
    """
    stages: dict[str, int] = {}
    seen: set[str] = set()
    for entry in node.device_configurations:
        name, stage = entry.configuration_id, entry.pipeline_stage
        if name not in configurations:
            known = ", ".join(map(shorten, configurations)) or "none"
            raise CompileError(
                f"its device configuration {shorten(name)!r} is not one of the model's: {known}"
            )
        if name in seen:
            raise CompileError(f"it names the device configuration {shorten(name)!r} twice")
        seen.add(name)
        if entry.HasField("pipeline_stage"):
            if stage < 0:
                raise CompileError(f"its pipeline stage is {stage}: stages are 0, 1, ...")
            stages[name] = stage
    return [stages.get(name, -1) for name in configurations] if stages else None
