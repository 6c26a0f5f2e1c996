"""What passes between a clinic and a network of health records, one file per exchange."""
