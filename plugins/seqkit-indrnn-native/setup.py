"""The compiled kernels.  Everything else about the package is in pyproject.toml."""

from setuptools import setup

from seqkit.build import BuildKernels, KernelExtension

kernels = KernelExtension(
    "seqkit_indrnn_native._kernels",
    cells=["seqkit_indrnn_native.indrnn:IndRNN"],
    written=["seqkit_indrnn_native/inference.inc.c"],
    optional=True,
)
setup(ext_modules=[kernels], cmdclass={"build_ext": BuildKernels})
