"""Diagrams of networks and of what their layers do, in SVG, for light and dark pages."""

from fcn_tutorial.diagrams.networks import course_map, network
from fcn_tutorial.diagrams.operations import cone, masked_loss, sliding_kernel, stamps

__all__ = ["cone", "course_map", "masked_loss", "network", "sliding_kernel", "stamps"]
