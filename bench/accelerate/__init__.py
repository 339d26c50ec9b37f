"""What makes training faster on CUDA and changes no number of it; imported only where somebody asks for it."""
