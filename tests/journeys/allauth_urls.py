"""The addresses of a site that uses django-allauth."""

from django.urls import include, path

urlpatterns = [path("accounts/", include("allauth.urls"))]
