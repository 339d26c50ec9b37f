"""Which device to train on, and what it is called. torch is asked only for what is not the CPU."""


def resolve(device: str) -> str:
    """Return the device to train on: `auto` is cuda where torch finds one, else the CPU.

    Raises:
        ValueError: an unknown device, or one that is not there.
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    name, separator, index = device.partition(":")
    if name != "cuda" or bool(separator) != index.isdigit():
        raise ValueError(f"--device takes cpu, cuda, cuda:N or auto, not {device!r}")
    if int(index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"there is no device {device!r} here (torch finds {torch.cuda.device_count()} CUDA devices); "
            "use --device cpu, or see: python -m bench doctor"
        )
    return device


def accelerator_name(device: str) -> str | None:
    """Return the model of a CUDA device, or `None` for the CPU and for a device that is not there."""
    if device == "cpu":
        return None
    import torch

    # An attempt on a device that is missing is about to fail; its record still says where it was to run.
    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else None
